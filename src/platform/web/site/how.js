// The figures of the page "How it works".
