"""The frame that enters the room: its columns, what became of its rows, which of them may teach."""
