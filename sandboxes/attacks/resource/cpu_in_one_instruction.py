# One operation of the interpreter, in which it looks at no signal.
7 ** (2 * 10**7)
outlived()
