"""What other libraries' errors say in one line."""

import os

import pytest
import tensorflow as tf

from tfdivcolor.utils.errors import reason


def test_of_an_oserror_the_reason_alone():
    with pytest.raises(OSError) as caught:
        open(os.path.join("missing", "file"))
    assert reason(caught.value) == "No such file or directory"


@pytest.mark.parametrize("message, expected", [
    ("{{function_node __wrapped__Foo_1}} disk full [Op:Foo] name: ",
     "disk full"),
    ("disk full\n\t [[{{node Assert}}]]", "disk full"),
    ("disk full [Op:SaveV2]", "disk full")])
def test_of_tensorflow_s_the_first_line_without_nodes(message, expected):
    error = tf.errors.ResourceExhaustedError(None, None, message)
    assert reason(error) == expected


def test_an_error_without_words_gives_its_name():
    assert reason(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert reason(ValueError("two\nlines")) == "two lines"
