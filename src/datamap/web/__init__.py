"""How a page of ours becomes one file, and the scripts that the pages share."""
