"""Callbacks of training frameworks that record signals: one `DataMapCallback` a module, named as the framework."""
