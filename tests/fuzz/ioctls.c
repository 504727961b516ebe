#include "ioctls.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "memory.h"
#include "pools.h"

static long number_pointer(struct Call* c) {
  char* at = room(c, 8);
  int value = chance(c, 90) ? (int)below(c, 32) : (int)odd_number(c);
  memcpy(at, &value, sizeof(value));
  return place(c, at);
}

static long group_pointer(struct Call* c) {
  char* at = room(c, 8);
  int value = (int)pid_any(c);
  memcpy(at, &value, sizeof(value));
  return place(c, at);
}

// What a terminal says of itself, changed a little.
static long terminal_modes(struct Call* c) {
  unsigned words[11] = {02400, 05, 0277, 0105073};
  unsigned char keys[19] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22};
  if (chance(c, 60)) words[below(c, 4)] ^= 1U << below(c, 16);
  if (chance(c, 30)) keys[below(c, 19)] = (unsigned char)draw(c);
  char* at = room(c, 64);
  memcpy(at, words, 16);
  memcpy(at + 17, keys, sizeof(keys));
  return place(c, at);
}

static long window_size(struct Call* c) {
  unsigned short size[4] = {(unsigned short)below(c, 100), (unsigned short)below(c, 300)};
  char* at = room(c, 8);
  memcpy(at, size, 8);
  return place(c, at);
}

static long interface_request(struct Call* c) {
  struct ifreq request = {0};
  strcpy(request.ifr_name, chance(c, 80) ? "lo" : chance(c, 50) ? "eth0" : "none");
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(0x7f000001 + (unsigned)below(c, 3))};
  uint64_t luck = below(c, 4);
  if (luck == 0) memcpy(&request.ifr_addr, &address, sizeof(address));
  if (luck == 1) request.ifr_ifindex = (int)below(c, 4);
  if (luck == 2) request.ifr_flags = (short)(IFF_UP | IFF_RUNNING | (draw(c) & 0xffff));
  char* at = room(c, sizeof(request));
  memcpy(at, &request, sizeof(request));
  return place(c, at);
}

static long interface_list(struct Call* c) {
  char* list = room(c, 160);
  struct ifconf conf = {.ifc_len = (int)below(c, 161)};
  conf.ifc_buf = chance(c, 90) ? list : NULL;
  char* at = room(c, sizeof(conf));
  memcpy(at, &conf, sizeof(conf));
  return place(c, at);
}

static long clone_range(struct Call* c) {
  struct file_clone_range range = {.src_fd = fd_file(c), .src_length = below(c, 3) * 4096};
  char* at = room(c, sizeof(range));
  memcpy(at, &range, sizeof(range));
  return place(c, at);
}

static const struct Ioctl {
  unsigned long request;
  Drawer *fd, *argument;
} kIoctls[] = {
    {FIONREAD, fd_polled, out_8},
    {FIONREAD, fd_data, out_8},
    {FIONBIO, fd_any, number_pointer},
    {FIOASYNC, fd_any, number_pointer},
    {FIOCLEX, fd_any, zero},
    {FIONCLEX, fd_any, zero},
    {FIOQSIZE, fd_data, out_8},
    {FIGETBSZ, fd_data, out_8},
    {FIBMAP, fd_file, number_pointer},
    {FICLONE, fd_file, fd_file},
    {FICLONERANGE, fd_file, clone_range},
    {FIDEDUPERANGE, fd_file, in_noise},
    {FIFREEZE, fd_file, zero},
    {FS_IOC_GETFLAGS, fd_data, out_8},
    {FS_IOC_SETFLAGS, fd_data, number_pointer},
    {FS_IOC_GETVERSION, fd_data, out_8},
    {FS_IOC_FSGETXATTR, fd_data, out_64},
    {FS_IOC_FIEMAP, fd_data, in_noise},
    {TCGETS, fd_terminal, out_64},
    {TCSETS, fd_terminal, terminal_modes},
    {TCSETSW, fd_terminal, terminal_modes},
    {TCSETSF, fd_terminal, terminal_modes},
    {TCGETA, fd_terminal, out_64},
    {TCSETA, fd_terminal, in_noise},
    {0x802c542a, fd_terminal, out_64},
    {0x402c542b, fd_terminal, terminal_modes},
    {TIOCGWINSZ, fd_terminal, out_8},
    {TIOCSWINSZ, fd_terminal, window_size},
    {TIOCGPGRP, fd_terminal, out_8},
    {TIOCSPGRP, fd_terminal, group_pointer},
    {TIOCGSID, fd_terminal, out_8},
    {TIOCSCTTY, fd_terminal, small},
    {TIOCNOTTY, fd_terminal, zero},
    {TIOCOUTQ, fd_terminal, out_8},
    {TIOCSTI, fd_terminal, in_noise},
    {TIOCGETD, fd_terminal, out_8},
    {TIOCSETD, fd_terminal, number_pointer},
    {TIOCEXCL, fd_terminal, zero},
    {TIOCNXCL, fd_terminal, zero},
    {TIOCGEXCL, fd_terminal, out_8},
    {TIOCPKT, fd_terminal, number_pointer},
    {TIOCGPKT, fd_terminal, out_8},
    {TIOCSPTLCK, fd_terminal, number_pointer},
    {TIOCGPTLCK, fd_terminal, out_8},
    {TIOCGPTN, fd_terminal, out_8},
    {TIOCGPTPEER, fd_terminal, small},
    {TIOCSIG, fd_terminal, small},
    {TIOCVHANGUP, fd_terminal, zero},
    {TIOCCONS, fd_terminal, zero},
    {TIOCLINUX, fd_terminal, in_noise},
    {TCXONC, fd_terminal, small},
    {TCFLSH, fd_terminal, small},
    {TCSBRK, fd_terminal, small},
    {TCSBRKP, fd_terminal, zero},
    {SIOCINQ, fd_socket, out_8},
    {SIOCOUTQ, fd_socket, out_8},
    {SIOCATMARK, fd_socket, out_8},
    {SIOCGPGRP, fd_socket, out_8},
    {SIOCSPGRP, fd_socket, group_pointer},
    {SIOCGSTAMP_OLD, fd_socket, out_64},
    {SIOCGSTAMPNS_OLD, fd_socket, out_64},
    {SIOCGIFCONF, fd_socket, interface_list},
    {SIOCGIFNAME, fd_socket, interface_request},
    {SIOCGIFINDEX, fd_socket, interface_request},
    {SIOCGIFFLAGS, fd_socket, interface_request},
    {SIOCSIFFLAGS, fd_socket, interface_request},
    {SIOCGIFADDR, fd_inet, interface_request},
    {SIOCSIFADDR, fd_inet, interface_request},
    {SIOCGIFNETMASK, fd_inet, interface_request},
    {SIOCSIFNETMASK, fd_inet, interface_request},
    {SIOCGIFBRDADDR, fd_inet, interface_request},
    {SIOCGIFMTU, fd_socket, interface_request},
    {SIOCSIFMTU, fd_socket, interface_request},
    {SIOCGIFHWADDR, fd_socket, interface_request},
    {SIOCGIFTXQLEN, fd_socket, interface_request},
    {SIOCGIFMETRIC, fd_socket, interface_request},
    {SIOCGIFMAP, fd_socket, interface_request},
    {SIOCETHTOOL, fd_socket, interface_request},
    {SIOCADDRT, fd_inet, in_noise},
    {SIOCDELRT, fd_inet, in_noise},
    {SIOCGARP, fd_inet, in_noise},
    {0x89e9, fd_unix, zero},  // SIOCUNIXFILE
    {NS_GET_USERNS, fd_namespace, zero},
    {NS_GET_PARENT, fd_namespace, zero},
    {NS_GET_NSTYPE, fd_namespace, zero},
    {NS_GET_OWNER_UID, fd_namespace, out_8},
    {0x80045200, fd_special, out_8},           // RNDGETENTCNT
    {0x40045201, fd_special, number_pointer},  // RNDADDTOENTCNT
    {0x5204, fd_special, zero},                // RNDZAPENTCNT
    {0x40085203, fd_special, in_noise},        // RNDADDENTROPY
    {0x40085400, fd_timerfd, buffer_of_8},     // TFD_IOC_SET_TICKS
    {0x40044900, fd_inotify, number_pointer},  // INOTIFY_IOC_SETNEXTWD
    {BLKGETSIZE64, fd_special, out_8},
};

void draw_ioctl(struct Call* c) {
  const struct Ioctl* one = &kIoctls[below(c, COUNT(kIoctls))];
  c->a[0] = chance(c, 92) ? one->fd(c) : fd_any(c);
  c->a[1] = chance(c, 97)   ? (long)one->request
            : chance(c, 50) ? 0x5400 + (long)below(c, 0x60)
                            : odd_number(c);
  c->a[2] = chance(c, 97) ? one->argument(c) : wild_pointer(c);
}

void keep_ioctl(struct Call* c) {
  unsigned long request = (unsigned long)c->a[1];
  if (c->result <= 2) return;
  if (request == NS_GET_USERNS || request == NS_GET_PARENT) keep(c, kNamespace, c->result);
  if (request == TIOCGPTPEER) keep(c, kTerminal, c->result);
  if (request == 0x89e9) keep(c, kPathFd, c->result);
}
