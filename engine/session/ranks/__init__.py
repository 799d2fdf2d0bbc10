"""Several processes, *ranks*, that train one run. torchrun starts them, and starts all again where one is lost.

Each rank has a trainer with equal weights and its own part of each batch; gradients are summed over all. Rank 0, the
*leader*, is an ordinary session: clock, commands, files, evaluation and sampling are its own. The others, *workers*,
execute its orders, JSON over a gloo group on which they listen without a time limit, as a pause may last for days.
Everything else has the limit of `Place.timeout_seconds`. All ranks execute the same orders one after the other, so each
collective of one has its counterpart on the others.

**`Steps` are a promise.** No rank leaves a step that was promised, since the others wait for its sum, on a GPU without
being able to look at anything else. One that can't compute contributes NaN, all skip the step, and the leader asks why
(`Ranks.promised`). So a promise is short, and ends where something is due.

Process groups are never destroyed: that would wait for ranks that are lost. A rank that has ended leaves its process.
"""
