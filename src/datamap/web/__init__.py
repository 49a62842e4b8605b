"""Assemble the HTML pages, with the scripts that the pages share."""
