"""What the tests of the examples do not run, and what they run slowly.

A pattern (of fnmatch) is for one command, or for a block of Python.
`test_examples` runs everything else on the pages: a new block is run, or it
fails, until it has an entry here.
"""

# Pattern -> why no test runs it.
NOT_RUN = {
    "pip install *": "it changes the environment that the tests run in",
    "python3 -m venv *": "setup.py's test extra is that environment",
    ". .venv/bin/activate": "the commands run in that environment already",
    "make demo*": "it sets up an environment of its own",
    "jupyter lab *": "it serves until somebody ends it",
    "make studio *": "it sets up an environment of its own",
    "make test*": "it runs these tests",
    "TF_CONFIG=* python -m training.train *":
        "it needs two machines; tests/training/multiworker_test.py has two "
        "workers on one",
    "python -m serving.bulk *":
        "Apache Beam needs an environment of its own; "
        "tests/serving/bulk_test.py runs the command there",
    "python -m training.examples.recolor *":
        "it takes 20 minutes, and pictures of flowers that are not here",
    'features = *BackboneFeatures("VGG16", weights="imagenet")*':
        "it downloads 58 MB; tests/models/through_tfp_test.py has random "
        "weights",
}

# Blocks that are no program.
NO_PROGRAM = {
    "@inproceedings{*": "a citation",
    '{"signature_name": "colorize*':
        "a request, with an ellipsis for the picture; the client and curl.sh "
        "send such ones",
}

# Commands that start a server, which the commands after them call.
SERVERS = {
    "python -m serving.standin *": None,
    "tfdivcolor studio *": None,
    # No Docker in the tests: this takes its place.
    "docker compose -f serving/deploy/docker-compose.yml up -d --wait":
        "python -m serving.standin --model-base-path models/tfdivcolor",
}

# Commands and Python code that take longer than all others together, or need
# a shell.
SLOW = [
    "python -m *",
    "tfdivcolor evaluate *",
    "tfdivcolor export *",
    "* < *",
    "make -C serving/native",
    "serving/examples/curl.sh *",
    "serving/native/build/colorize *",
    "*.fit(*",
    "*serving.client.connect(*",
    "*tf.saved_model.load(*",
    "*model.signatures[*",
    "*onnxruntime.InferenceSession(*",
    "*luminance + 16*",
    "*session.run(*",
    "*tdc.likelihood.field_terms(*",
    "*Servable(*",
    "*tdc.export.save(*",
]

# Commands that report an error, as their page shows.
FAIL = ["* nosuch.jpg *"]

# Page -> commands that make what the page takes for granted.
BEFORE = {
    "docs/guides/evaluation.md": [
        "python -m training.write_tfrecords photographs/ --size 128 "
        "--out shards/photos --shards 1",
        "python -m training.prepare_lfw --archive lfw-deepfunneled.tgz "
        "--out data/lfw",
        "python -m training.baselines --only regression --steps 1 "
        "--out runs/baselines",
        "python -m training.baselines --only regression --steps 1 "
        "--config photos --data 'shards/photos-*.tfrecord' "
        "--out runs/photos_baselines",
    ],
    "docs/guides/savedmodel.md": ["tfdivcolor export models/tfdivcolor"],
    "tfdivcolor/export/saved_model.py": [
        "tfdivcolor export models/tfdivcolor"],
}
