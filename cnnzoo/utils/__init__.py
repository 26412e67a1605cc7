"""Helpers that depend on nothing else in the package.

atomic_files     files written as a whole, locks, JSON
backend          checks of Keras's settings
caller           warnings at the line of the caller
configuration    fields of an architecture, and checks of their values
json_content     JSON from files that may be damaged
optional         checks of optional packages
source           fields and docstrings read from source code
terminal         tables and progress bars
"""
