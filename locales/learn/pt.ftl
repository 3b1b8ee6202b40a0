# The page "How it works".

learn-title = Como funciona
learn-description = Como um computador vê um rosto, na sua própria foto.
