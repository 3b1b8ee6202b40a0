# The page "How it works".

learn-title = How it works
learn-description = How a computer sees a face, on your own photo.
