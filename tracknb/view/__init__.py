"""From runs to what any face shows: text, HTML, pictures and data; knows neither SQL nor Jupyter."""
