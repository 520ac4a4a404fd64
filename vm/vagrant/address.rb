require "socket"

module Labkit
  # The last line of `vagrant up`.
  module Address
    LINE = /^http:\S+$/.freeze

    module_function

    def show(env, machine)
      return unless machine.state.id == :running

      Saved.mark(machine)
      said = +""
      command = "cd ~/labkit && .venv/bin/python setup/server.py wait && .venv/bin/python setup/server.py address"
      machine.communicate.execute(command, error_check: false) { |_, text| said << text }
      address = said[LINE]
      return env.ui.error(trouble(said)) unless address

      env.ui.info("\nOpen this in your browser:\n", prefix: false)
      env.ui.info(address.sub(%r{//[^/]*}, "//localhost:#{port(machine)}"), prefix: false)
    end

    # The port on this machine: the provider knows it, or the configuration, where Vagrant has written its correction.
    def port(machine)
      if machine.provider.capability?(:forwarded_ports)
        found = machine.provider.capability(:forwarded_ports)&.key(8888)
        return found if found
      end
      forwarded_by_ssh(machine).last || forwarding(machine)[:host]
    end

    # vagrant-libvirt forwards through ssh, and does not look whether the port is free: `auto_correct` is nothing to it.
    def choose_port(machine)
      return unless machine.provider_name == :libvirt

      options = forwarding(machine)
      ours = forwarded_by_ssh(machine)
      options[:host] = (options[:host]..65_535).find { |port| ours.include?(port) || free?(port) }
    end

    def forwarding(machine)
      machine.config.vm.networks.map(&:last).find { |options| options[:id] == "jupyter" }
    end

    def forwarded_by_ssh(machine) # oldest first; vagrant-libvirt notes who does it
      notes = Dir.glob(machine.data_dir.join("pids", "ssh_*.pid").to_s).select { |note| alive?(File.read(note).to_i) }
      notes.sort_by { |note| File.mtime(note) }.map { |note| note[/\d+(?=\.pid)/].to_i }
    end

    def alive?(pid)
      pid.positive? && Process.kill(0, pid) && true
    rescue Errno::ESRCH, Errno::EPERM
      false
    end

    def free?(port)
      TCPServer.new("127.0.0.1", port).close
      true
    rescue Errno::EADDRINUSE, Errno::EACCES
      false
    end

    def trouble(said)
      "JupyterLab does not answer in the machine: #{said.lines.last.to_s.strip}\n" \
        "  remedy:  vagrant provision; then vagrant ssh -c 'journalctl -u labkit'"
    end
  end
end
