TYPES = {"COCO_VAL": "Caption", "RefCOCO": "GROUNDING", "POPE": "Y/N"}


def DATASET_TYPE(dataset, *, default="MCQ"):
    return TYPES.get(dataset, default)
