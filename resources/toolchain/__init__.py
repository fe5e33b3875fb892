"""The Stan toolchain: where CmdStan is, or how to assemble one; and compiled programs, cached by content.

`resources.toolchain.executables.executable("linear")` is all that the rest of the system needs.
"""
