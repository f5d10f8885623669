"""The figure on the first screen of each chapter, and its caption."""

OPENINGS = {
    "layers": (
        "dense-flow",
        "What flows through a Dense layer, with the shapes for four rows, three inputs and "
        "two outputs. Each arrow is one method of the layer.",
    ),
    "losses": (
        "bce",
        "The loss (4) with target 1 and its derivative (4a) in float32: in the stable form, "
        "and as textbooks write it. The textbook's loses the one or the other.",
    ),
    "network": (
        "backprop",
        "The passes of the table below, with the numbers of the example on paper at the end "
        "of the chapter.",
    ),
    "optim": (
        "descents",
        "Forty steps down a valley that is twenty times steeper across than along. The "
        "dotted lines join points of equal loss; the cross is the minimum.",
    ),
    "players": (
        "map",
        "A trained generator of the ring of eight Gaussians, as a map: circles and rays of "
        "noise, and where it sends them.",
    ),
    "game": (
        "one-pass",
        "One backward pass through D serves both players (21). The numbers are those of [a "
        "page of theory](theory-5-one-pass.html), which proves it.",
    ),
    "gan": (
        "generator-losses",
        "The two losses of the generator. They agree on the direction and differ in the "
        "pull: where D is sure of a fake, at the left, the minimax loss has nearly none.",
    ),
    "cgan": (
        "classes",
        "Samples on the ring, each drawn as the number of the class that was asked for. The "
        "circles are the data of the classes.",
    ),
    "wgan": (
        "clip-or-penalty",
        "Two critics for the same rows: data in three heaps, generated rows between them. "
        "The clip of this chapter, the one-sided penalty of chapter 11, and the best critic "
        "there is.",
    ),
    "lsgan": (
        "pulls",
        "The slope of G's loss over the score of a fake, in three games. Least squares also "
        "pulls back what D takes for more than real.",
    ),
    "penalty": (
        "penalty-passes",
        "The three passes with the numbers of the example on paper: a critic 2 → 2 → 1 with "
        "slope ½ below zero, at the row (1, −1), and λ = 10.",
    ),
    "r3gan": (
        "spirals",
        "A game of two numbers, played by R3GAN: how far the players are from their "
        "equilibrium. The penalties R1 and R2 bring them to rest.",
    ),
    "conv": (
        "patches",
        "A picture of 3 × 3 pixels and a kernel of 2 × 2: four patches, each a row of X. Pixel "
        "5 is in all four, each time in another column, where another weight meets it.",
    ),
    "dcgan": (
        "halves",
        "Both players for the digits, read from left to right and from right to left. The "
        "convolutions of G are those of D, each transposed.",
    ),
    "measure": (
        "step-sizes",
        "The derivative of $x^4$ at 1.1, measured in three ways. A difference quotient has a "
        "best step, and even that costs digits. The complex step has no worst one.",
    ),
    "gradcheck": (
        "checks",
        "What `check_layer` finds of a sigmoid, and of one whose derivative takes its input "
        "for its output. Right and wrong are far apart, so the tolerance leaves no room for "
        "a doubt.",
    ),
    "data": (
        "batches",
        "What `Batches` gives: an order of the rows for each epoch, and batches that go on "
        "where the last one ended.",
    ),
    "loops": (
        "passes",
        "Passes over memory. Each operation of NumPy reads and writes whole arrays; a "
        "compiled loop does them all in one pass.",
    ),
    "fast": (
        "one-pass",
        "What is made sooner here: the layers' forward passes and deltas, on the way that the "
        "one pass of chapter 6 takes, and the optimisers' steps after it.",
    ),
    "workspace": (
        "batches",
        "What `Batches` gives. The rows of a batch are gathered straight into the upper half "
        "of D's input; the lower half is where G writes.",
    ),
    "fast_conv": (
        "patches",
        "The copies that are made sooner here. Two pixels of a patch that stand side by side "
        "are neighbours in the picture as well, so a line of a patch is copied in one piece.",
    ),
    "training": (
        "record",
        "What a run records: a GAN on the ring. The losses come to rest at the values of the "
        "equilibrium, and do not say how good the samples are; the distance does.",
    ),
}
