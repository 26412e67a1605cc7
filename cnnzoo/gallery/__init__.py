"""The gallery of `cnnzoo demo`: the output of every shipped checkpoint on images that need no download.

photographs   whole photographs before and after a model
small_images  sheets of small images: classified, generated, reconstructed
numbers       the scores of a card, with their protocol in words
exhibits      the work of one checkpoint; the tasks
page          the page, one file
"""
