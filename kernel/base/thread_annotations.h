// Names for clang's thread safety analysis; nothing under other compilers.
#pragma once

#if defined(__clang__)
#define RUNSC_TSA(x) __attribute__((x))
#else
#define RUNSC_TSA(x)
#endif

#define CAPABILITY(x) RUNSC_TSA(capability(x))
#define SCOPED_CAPABILITY RUNSC_TSA(scoped_lockable)
#define GUARDED_BY(x) RUNSC_TSA(guarded_by(x))
#define PT_GUARDED_BY(x) RUNSC_TSA(pt_guarded_by(x))
#define REQUIRES(...) RUNSC_TSA(requires_capability(__VA_ARGS__))
#define REQUIRES_SHARED(...) RUNSC_TSA(requires_shared_capability(__VA_ARGS__))
#define ACQUIRE(...) RUNSC_TSA(acquire_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) RUNSC_TSA(acquire_shared_capability(__VA_ARGS__))
#define RELEASE(...) RUNSC_TSA(release_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) RUNSC_TSA(release_shared_capability(__VA_ARGS__))
#define RELEASE_GENERIC(...) RUNSC_TSA(release_generic_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) RUNSC_TSA(try_acquire_capability(__VA_ARGS__))
#define EXCLUDES(...) RUNSC_TSA(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS RUNSC_TSA(no_thread_safety_analysis)
