"""What happens around the steps of a training, an idea a file; ``core.train`` puts it in order.

``trainer``: what one training consists of, and one step · ``result``: what a step finds · ``progress``: what a
checkpoint remembers · ``begin``: data, vocabulary, weights, a resume · ``budget``: how much is left, why it ends ·
``pace``: the clock · ``steering``: what a person asks for meanwhile · ``validation``: what has been learnt so far ·
``saving``: checkpoints · ``recovery``: no memory, no number · ``disk``: no room · ``finish``: what is handed in.
"""
