"""What the pages share: what a page is, the next run, the queue, and the table with who holds it."""
