"""What an administrator does with a whole installation, on its own machine: backup, restore,
upgrade:check, uninstall. It works on HYTHE_HOME and the database, not through the API, so that it
also works while nothing runs.
"""
