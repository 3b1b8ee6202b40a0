# The page "How it works".

learn-title = Jak to funguje
learn-description = Jak počítač vidí obličej, na tvé vlastní fotce.
