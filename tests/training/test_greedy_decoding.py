"""The one greedy decoder against a rule whose continuation is known by hand: after a token comes its successor."""

import numpy as np

from kdbench.stages.greedy import greedy

V = 10


def counting(said, asked, also=()):
    """Logits that are largest at the successor of a row's last token, and just as large at the tokens `also`."""

    def ask(going):
        asked.append(list(going))
        logits = np.zeros((len(going), V), np.float32)
        for row, i in zip(logits, going, strict=True):
            row[[said[i][-1] + 1, *also]] = 1
        return logits

    return ask


def test_greedy_rows_count_up_to_the_end_and_each_stops_by_itself():
    said, asked = [[4], [7], [1, 5]], []
    ended = greedy(counting(said, asked), said, 9, lambda i: len(said[i]) >= 4)
    assert said == [[4, 5, 6, 7], [7, 8], [1, 5, 6, 7]]
    assert ended == [False, True, False]
    assert asked == [[0, 1, 2], [0, 1, 2], [0]], "who is done is not asked again"


def test_greedy_asks_nothing_about_a_row_that_is_full_before_it_begins():
    said, asked = [[1, 2, 3], [1]], []
    assert greedy(counting(said, asked), said, None, lambda i: len(said[i]) >= 3) == [False, False]
    assert said == [[1, 2, 3], [1, 2, 3]]
    assert asked == [[1], [1]]


def test_greedy_takes_the_lower_of_equal_tokens():
    said = [[5]]
    greedy(counting(said, [], also=(2,)), said, None, lambda i: len(said[i]) >= 2)
    assert said == [[5, 2]]
