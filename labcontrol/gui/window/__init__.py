"""The main window: what is around its pages, and between them."""
