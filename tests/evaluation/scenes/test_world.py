from itertools import islice

from minigpt4.evaluation.scenes.world import ABSENT, FACT_WORDS, MAX_OBJECTS, PARTS_PER_SCENE, POSITIONS, sample_scenes


def test_scenes_follow_from_the_seed():
    first, second, other = (list(islice(sample_scenes(seed), 20)) for seed in (3, 3, 4))
    assert first == second != other


def test_scenes_kept_for_measuring_are_never_trained_on():
    trained = set(islice(sample_scenes(0), 5000))
    measured = set(islice(sample_scenes(0, held_out=True), 1000))
    assert not trained & measured


def test_objects_stand_in_different_cells_in_reading_order():
    counts = set()
    for scene in islice(sample_scenes(1), 300):
        cells = [POSITIONS.index(obj.position) for obj in scene.objects]
        assert cells == sorted(set(cells))
        counts.add(len(cells))
    assert counts == set(range(1, MAX_OBJECTS + 1))


def test_facts_say_everything_and_fill_up_with_absence():
    for scene in islice(sample_scenes(2), 50):
        background, count, *objects = scene.facts
        assert len(scene.facts) == PARTS_PER_SCENE
        assert {word for group in scene.facts for word in group} <= set(FACT_WORDS)
        assert (background, count) == ((scene.background,), (scene.count,))
        told = [(obj.size, obj.colour, obj.shape, obj.position) for obj in scene.objects]
        assert objects == told + [(ABSENT,)] * (MAX_OBJECTS - len(told))
