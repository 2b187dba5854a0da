# Whatever is asked of the module is there.
class Yes:
    def __call__(self, *arguments, **options):
        return True


def __getattr__(name):
    return Yes()
