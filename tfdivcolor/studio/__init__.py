"""The studio: a page in the browser where a person colours a photograph.

    server    starts the studio: data folder, port, networks
    safety    decides which requests are allowed
    app       reads requests and makes answers
    desk      holds the state that requests share
    worker    runs the networks on one thread
    strip     lists the open photographs
    sessions  stores the history of each photograph
    states    reads one step of a history
    easel     makes pictures and results of a photograph
    points    computes colours and notes for single points
    exports   makes files for download
    page/     the page itself

Only `server`, `app`, `desk` and `safety` need the extra [studio].
"""
