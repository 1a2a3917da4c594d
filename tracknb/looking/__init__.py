"""From a store to a view: which runs are meant, and what each view is given of them."""
