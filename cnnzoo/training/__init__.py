"""Training: the loop around `fit`, the plan and the folder of a run, and callbacks.

loop              `train`, and the calls of `fit`
plan              settings, model and images of a new run; checks of a resumed one
shape             the image shape for a folder of pictures
frozen            layers that stay as they are
trained           trained models by name
updates           clipping and accumulation of gradients
run_dir           the run folder and its states
status            how far runs are
curves            charts that compare runs
callbacks         checkpoints, samples, coverage and one line per epoch
watching          logs, speed and waiting, to TensorBoard and as JSON lines
scores            scores on the validation images every few epochs
signals           SIGINT and SIGTERM as an event
tensorboard       event files
progress          progress bars
"""
