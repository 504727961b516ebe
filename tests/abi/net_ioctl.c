// netdevice(7): what ioctl(2) tells of lo.
#include "net.h"

int main(void) {
  net_private();
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0)), local = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  struct ifreq r = {.ifr_name = "lo"};
  OK(ioctl(fd, SIOCGIFINDEX, &r));
  CHECK_EQ(r.ifr_ifindex, 1);
  CHECK_EQ(if_nametoindex("lo"), 1);
  memset(r.ifr_name, 0, sizeof(r.ifr_name));
  OK(ioctl(fd, SIOCGIFNAME, &r));
  CHECK_STR(r.ifr_name, "lo");
  r.ifr_ifindex = 999;
  FAILS(ioctl(fd, SIOCGIFNAME, &r), ENODEV);
  OK(ioctl(local, SIOCGIFFLAGS, &r));
  CHECK_EQ(r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_POINTOPOINT),
           IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
  OK(ioctl(fd, SIOCGIFMTU, &r));
  CHECK_EQ(r.ifr_mtu, 65536);
  OK(ioctl(fd, SIOCGIFHWADDR, &r));
  CHECK_EQ(r.ifr_hwaddr.sa_family, 772);
  CHECK(memcmp(r.ifr_hwaddr.sa_data, "\0\0\0\0\0\0", 6) == 0);
  OK(ioctl(fd, SIOCGIFTXQLEN, &r));
  CHECK_EQ(r.ifr_qlen, 1000);
  OK(ioctl(fd, SIOCGIFMETRIC, &r));
  CHECK_EQ(r.ifr_metric, 0);
  OK(ioctl(fd, SIOCGIFADDR, &r));
  struct sockaddr_in* a = (struct sockaddr_in*)&r.ifr_addr;
  CHECK_EQ(a->sin_family, AF_INET);
  CHECK_EQ(a->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  OK(ioctl(fd, SIOCGIFNETMASK, &r));
  CHECK_EQ(a->sin_addr.s_addr, htonl(0xff000000));
  OK(ioctl(fd, SIOCGIFDSTADDR, &r));
  CHECK_EQ(a->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  OK(ioctl(fd, SIOCGIFBRDADDR, &r));
  CHECK_EQ(a->sin_addr.s_addr, 0);
  FAILS(ioctl(local, SIOCGIFADDR, &r), ENOTTY);

  struct ifreq rows[4];
  struct ifconf conf = {.ifc_len = sizeof(rows), .ifc_req = rows};
  OK(ioctl(fd, SIOCGIFCONF, &conf));
  CHECK(conf.ifc_len >= (int)sizeof(rows[0]));
  CHECK_STR(rows[0].ifr_name, "lo");
  CHECK_EQ(((struct sockaddr_in*)&rows[0].ifr_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  conf.ifc_len = 0;
  conf.ifc_req = NULL;
  OK(ioctl(fd, SIOCGIFCONF, &conf));
  CHECK(conf.ifc_len >= (int)sizeof(rows[0]));
  conf = (struct ifconf){.ifc_len = 39, .ifc_req = rows};
  OK(ioctl(fd, SIOCGIFCONF, &conf));
  CHECK_EQ(conf.ifc_len, 0);

  strcpy(r.ifr_name, "nothing");
  FAILS(ioctl(fd, SIOCGIFFLAGS, &r), ENODEV);
  FAILS(ioctl(fd, SIOCGIFADDR, &r), ENODEV);
  FAILS(ioctl(fd, SIOCGIFMTU, (void*)8), EFAULT);
  FAILS(ioctl(fd, 0x89cc, &r), ENOTTY);

  // The stamp of the last packet, once there was one.
  struct timeval t;
  FAILS(ioctl(fd, 0x8906 /* SIOCGSTAMP */, &t), ENOENT);
  OK(setresgid(99, 99, 99));
  OK(setresuid(99, 99, 99));
  strcpy(r.ifr_name, "lo");
  FAILS(ioctl(fd, SIOCSIFMTU, &r), EPERM);
  FAILS(ioctl(fd, SIOCSIFFLAGS, &r), EPERM);
  FAILS(ioctl(fd, SIOCSIFADDR, &r), EPERM);
  return 0;
}
