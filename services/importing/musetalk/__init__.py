"""The folder of a MuseTalk 1.5 becomes three served graphs: one that paints, one that looks, one that hears."""
