"""``gpt-tui serve``: a trained model behind the HTTP interface that OpenAI's clients speak.

``schema`` says what may be asked, ``prompts`` makes token ids of it, ``worker`` generates in a thread of its own,
``replies`` puts the outcome into OpenAI's objects, ``api`` ties them to addresses, ``guard`` stands before all.
"""
