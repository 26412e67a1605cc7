"""What the commands of `cnnzoo.cli` do, each a function of what was asked on the command line."""
