require "etc"

module Labkit
  # What the student has to read, without a trace of Ruby.
  class Refused < Vagrant::Errors::VagrantError
    def initialize(what, remedy)
      @text = "#{what}\n  remedy:  #{remedy}"
      super()
    end

    def error_message
      @text
    end
  end

  # What suits the machine that Vagrant runs on: provider, box, size. The environment may say otherwise.
  module Host
    MAC = RUBY_PLATFORM.include?("darwin")
    LINUX = RUBY_PLATFORM.include?("linux")
    ARM = Etc.respond_to?(:uname) && %w[arm64 aarch64].include?(Etc.uname[:machine].downcase)

    # Debian's own boxes where there are some; the others are made by Chef (bento) and by cloud-image, from Debian's
    # installer and Debian's cloud images. Both carry amd64 and arm64 under one name.
    CODENAMES = { 12 => "bookworm", 13 => "trixie" }.freeze

    module_function

    def number(name, default)
      text = ENV["LABKIT_#{name}"].to_s
      return default if text.empty?

      Integer(text, 10).tap { |value| raise ArgumentError unless value.positive? }
    rescue ArgumentError
      raise Refused.new("LABKIT_#{name} wants a number, not #{text}", "unset it, or LABKIT_#{name}=#{default}")
    end

    # The first that is installed is taken; `vagrant up --provider NAME` and VAGRANT_DEFAULT_PROVIDER override.
    def providers
      return %w[libvirt virtualbox vmware_desktop qemu parallels] if LINUX # KVM is there already
      return %w[parallels vmware_desktop virtualbox qemu libvirt] if MAC && ARM # VirtualBox: from 7.1 on

      %w[virtualbox vmware_desktop parallels qemu libvirt]
    end

    def box(provider)
      return ENV["LABKIT_BOX"] unless ENV["LABKIT_BOX"].to_s.empty?

      release = number("DEBIAN", 12)
      codename = CODENAMES.fetch(release) { raise Refused.new("there is no Debian #{release} here", "LABKIT_DEBIAN=12") }
      case provider
      when "libvirt" then ARM ? "cloud-image/debian-#{release}" : "debian/#{codename}64"
      when "qemu" then "cloud-image/debian-#{release}"
      else "bento/debian-#{release}"
      end
    end

    def size(provider, machine)
      cpus = number("CPUS", 2)
      memory = number("MEMORY", 2048)
      case provider
      when "vmware_desktop" then machine.vmx.update("numvcpus" => cpus.to_s, "memsize" => memory.to_s)
      when "qemu" then qemu(machine, cpus, memory)
      else
        machine.cpus = cpus
        machine.memory = memory
      end
      libvirt(machine) if provider == "libvirt"
    end

    def libvirt(machine)
      # LABKIT_EMULATE=1: where there is a /dev/kvm that does not work, as in some virtual machines.
      return if File.writable?("/dev/kvm") && ENV["LABKIT_EMULATE"] != "1"

      machine.driver = "qemu" # the processor in software, and all it can do: numpy wants more than the least of them
      machine.cpu_mode = "maximum"
    end

    # The plugin's own defaults are those of a Mac with Apple's processor.
    def qemu(machine, cpus, memory)
      machine.smp = cpus.to_s
      machine.memory = "#{memory}M"
      return if MAC && ARM

      machine.arch = ARM ? "aarch64" : "x86_64"
      machine.machine = (ARM ? "virt" : "q35") + (MAC ? ",accel=hvf:tcg" : ",accel=kvm:tcg")
      machine.cpu = "max"
      machine.net_device = "virtio-net-pci"
      machine.qemu_dir = "/usr/share/qemu" if LINUX
    end
  end
end
