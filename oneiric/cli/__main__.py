"""Run the command line: ``python -m oneiric.cli``."""

from oneiric.cli import main

if __name__ == "__main__":
    main()
