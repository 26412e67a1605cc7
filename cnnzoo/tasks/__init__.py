"""One public base class per task: input checks, batching and the verb that users call."""
