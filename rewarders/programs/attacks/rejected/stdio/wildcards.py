input()
print(".*\n*\n%\n?\nNone\nnan\n")
