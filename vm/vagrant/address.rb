module Labkit
  # The last line of `vagrant up`.
  module Address
    LINE = /^http:\S+$/.freeze

    module_function

    def show(env, machine)
      return unless machine.state.id == :running

      Saved.mark
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
      machine.config.vm.networks.find { |_, options| options[:id] == "jupyter" }.last[:host]
    end

    def trouble(said)
      "JupyterLab does not answer in the machine: #{said.lines.last.to_s.strip}\n" \
        "  remedy:  vagrant provision; then vagrant ssh -c 'journalctl -u labkit'"
    end
  end
end
