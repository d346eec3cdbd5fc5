"""Ways in: command line, web page, napari. All call the same functions as a script would."""
