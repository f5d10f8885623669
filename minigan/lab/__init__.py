"""What runs around the book: data sets, run folders, pictures, measures, the command line."""
