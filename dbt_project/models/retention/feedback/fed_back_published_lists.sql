{{ feedback_rows('published_lists', 'before') }}
