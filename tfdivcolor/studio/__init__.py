"""The studio: a page in the browser where a person colours a photograph.

    server    starts it: data folder, port, networks
    safety    who may ask
    app       requests and answers
    desk      what they share; worker, the one thread that runs the networks
    strip, sessions, states    what is open, what was done, one step of it
    easel     a photograph's pictures and results; points, of single points
    exports   files to take away
    page/     the page itself

Only `server` and `app` need the extra [studio].
"""
