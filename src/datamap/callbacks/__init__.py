"""Record signals by a framework's callbacks: each module is named as a framework and has one `DataMapCallback`."""
