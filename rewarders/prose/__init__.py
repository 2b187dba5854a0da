"""Looking at what a model wrote as prose: without its code, folded for comparison, sentence by sentence, word by word.

Whatever is set aside is replaced by as many spaces, so that an offset into any of it is an offset into the completion.
Every scan is linear in the text.
"""
