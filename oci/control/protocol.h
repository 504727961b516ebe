// Host only. How commands of runsc speak with a running sandbox: over the datagram socket `control` in the
// container's state directory. A request is one datagram: JSON, and descriptors of which the first is the
// connection, one end of a SOCK_SEQPACKET pair on which the answers come; its end ends the request. Further
// requests of the same kind of JSON may follow on the connection itself, without descriptors.
//
// Each names the container that it is about, "container": ID, where that is not the one of the state
// directory.
//
//   {"op": "start"}                    lets a created container's init execute
//   {"op": "network"}                  before that; descriptors: a description (hostcall/network_spec.h), a
//                                      claim to be kept, then a packet socket and an eventfd of each
//                                      interface
//   {"op": "create", "pid", "flags"}   a further container; descriptors: its description (container_bytes.h),
//   root,
//                                      sources of bind mounts, then its streams or terminal; it is killed if
//                                      the connection ends before it; flags: hostcall::kOwnPid...
//   {"op": "exec", "pid", "rows", "columns", "preserved"}
//                                      descriptors: process.json, then stdin, stdout, stderr or a terminal,
//                                      then as many as "preserved" says, which the process has from 3 on;
//                                      the process is killed if the connection ends before it
//   {"op": "wait"}                     answered when the container's init ends
//   {"op": "signal", "signal", "all"}  to the init, or the process that the connection stands for
//   {"op": "resize", "rows", "columns"}
//   {"op": "processes"}, {"op": "pause"}, {"op": "resume"}
//   {"op": "status"}                   text: created, running or paused; value: 1, "network" is waited for
//   {"op": "statistics"}               answered with text, lines "NAME VALUE"
//   {"op": "stacks"}                   answered with text for people: what each thread does
//   {"op": "update", "resources"}      as linux.resources of config.json, as text; "sandbox": bytes that the
//                                      sandbox may use on the host
//   {"op": "events"}                   as wait, and tells in between when a process was killed for want of
//                                      memory
// "pid" is the process on the host that stands for what is started.
// Answers:
//   {"ok": true, "value": N, "text": "..."}     exec, create: value is the pid in the container
//   ... "pids": [[NUMBER, PID], ...]            processes: who stands for those with a NUMBER
//   {"error": "...", "status": N}               the exit status that the command should end with
//   {"oom": true}                               events
//   {"ended": N}                                exec, create, wait: the status as wait(2) has it
#pragma once

#include <cstddef>

namespace runsc::oci {

inline constexpr const char* kControlSocket = "control";
inline constexpr size_t kMaxControlMessage = size_t{64} << 10;
// As many as Linux passes at once (SCM_MAX_FD).
inline constexpr size_t kMaxControlFds = 253;

}  // namespace runsc::oci
