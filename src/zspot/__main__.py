"""`python -m zspot` is the command line."""

from zspot.frontends.cli.main import main

main()
