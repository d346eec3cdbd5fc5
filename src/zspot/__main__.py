"""`python -m zspot` is the command line."""

from zspot.frontends.cli import main

main()
