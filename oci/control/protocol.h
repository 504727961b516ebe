// Host only. How commands of runsc speak with a running sandbox: over the datagram socket `control` in the
// container's state directory. A request is one datagram: JSON, and descriptors of which the first is the
// connection, one end of a SOCK_SEQPACKET pair on which the answers come; its end ends the request. Further
// requests of the same kind of JSON may follow on the connection itself, without descriptors.
//
//   {"op": "start"}                    lets a created container's init execute
//   {"op": "exec", "rows", "columns"}  descriptors: process.json, then stdin, stdout, stderr or a terminal;
//                                      the process is killed if the connection ends before it
//   {"op": "wait"}                     answered when the container's init ends
//   {"op": "signal", "signal", "all"}  to the init, or the process that the connection stands for
//   {"op": "resize", "rows", "columns"}
//   {"op": "processes"}, {"op": "pause"}, {"op": "resume"}
// Answers:
//   {"ok": true, "value": N, "text": "..."}     exec: value is the pid in the sandbox
//   {"error": "...", "status": N}               the exit status that the command should end with
//   {"ended": N}                                exec, wait: the status as wait(2) has it
#pragma once

#include <cstddef>

namespace runsc::oci {

inline constexpr const char* kControlSocket = "control";
inline constexpr size_t kMaxControlMessage = size_t{64} << 10;
inline constexpr size_t kMaxControlFds = 5;

}  // namespace runsc::oci
