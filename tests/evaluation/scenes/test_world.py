from itertools import islice

from minigpt4.evaluation.scenes.world import ABSENT, FACT_WORDS, FACTS_PER_SCENE, MAX_OBJECTS, POSITIONS, sample_scenes


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
        assert len(scene.facts) == FACTS_PER_SCENE
        assert set(scene.facts) <= set(FACT_WORDS)
        assert scene.facts.count(ABSENT) == 4 * (MAX_OBJECTS - len(scene.objects))
        assert scene.facts[:2] == (scene.background, scene.count)
        for i, obj in enumerate(scene.objects):
            assert scene.facts[2 + 4 * i : 6 + 4 * i] == (obj.size, obj.colour, obj.shape, obj.position)
