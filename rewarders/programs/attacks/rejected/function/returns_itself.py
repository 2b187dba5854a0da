# What is not plain data stays here, and each question about it gives one more thing to ask about.
class Self:
    def __getattr__(self, name):
        return self

    def __call__(self, *arguments, **options):
        return self

    def __getitem__(self, key):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *arguments):
        return True


def scale(values, factor):
    return Self()
