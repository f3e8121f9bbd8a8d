"""A small table of English synonyms: words of one set may stand for one another in most sentences."""

from __future__ import annotations

SETS = """
film movie; films movies; picture image; pictures images; story tale; stories tales; actor performer; actors performers
funny amusing comical; dull boring tedious; scary frightening; sad sorrowful; happy glad; angry furious; afraid scared
great superb terrific; bad poor lousy; awful terrible horrible; excellent outstanding superb; nice pleasant
beautiful gorgeous lovely; ugly hideous; clever smart; stupid foolish dumb; silly goofy; strange odd weird
brilliant splendid; big large; huge enormous; tiny minute; fast quick rapid; slow sluggish; quickly rapidly swiftly
slowly gradually; begins starts; began started; beginning starting; end finish; ends finishes; ended finished; buy purchase
bought purchased; buys purchases; buying purchasing; help assist; helps assists; helped assisted; helping assisting
liked enjoyed; hate detest loathe; hates detests loathes; hated detested loathed; loves adores; loved adored; try attempt
tries attempts; tried attempted; trying attempting; speak talk; speaks talks; talking speaking; choose pick select
chose picked selected; build construct; built constructed; repair mend fix; allow permit; allows permits; allowed permitted
answer reply; answers replies; answered replied; closed shut; child kid; children kids; man guy; men guys; woman lady
women ladies; boy lad; boys lads; person individual; people folks; house home; houses homes; car automobile; cars automobiles
road street; roads streets; job task; jobs tasks; money cash; error mistake; errors mistakes; problem issue trouble
problems issues troubles; idea notion; ideas notions; place spot; places spots; parts portions; trip journey; trips journeys
shop store; shops stores; doctor physician; doctors physicians; phone telephone; phones telephones; photo photograph
photos photographs; maybe perhaps; often frequently; almost nearly; however nevertheless; therefore thus; finally eventually
usually generally normally; suddenly abruptly; completely entirely totally; mostly mainly largely; whole entire
main primary chief; important significant; different distinct; easy simple; quiet silent; rich wealthy; sick ill
wrong incorrect; common ordinary; interesting intriguing; surprising astonishing; exciting thrilling; annoying irritating
amazing astounding
"""


def _table() -> dict[str, tuple[str, ...]]:
    table: dict[str, list[str]] = {}
    for words in (one.split() for one in SETS.replace("\n", ";").split(";")):
        for word in words:
            held = table.setdefault(word, [])
            held += [other for other in words if other != word and other not in held]
    return {word: tuple(others) for word, others in table.items()}


SYNONYMS = _table()
"""Word, in lower case -> its synonyms."""
