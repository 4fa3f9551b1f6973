"""What a run took, and whether engines agree: every figure of a report is made here.

    results              the schemas of all reports
    profile, energy      cycles by layer, graph and unit; an estimate of energy
    layers               what an image holds
    runs, streaming      the calls of a graph; sound on the chip
    lockstep, sides      records of two machines; reference, twin and RTL side by side
    proof                engines against a recording
    speed, memory        how fast the simulators are, and what they take

Machines and engines of other rooms are handed in: nothing here knows compiler, kernels or RTL.
"""
