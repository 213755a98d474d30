"""`python -m tacita.cli`."""

from tacita.cli.main import main

main()
