require "fileutils"

module Labkit
  # What the student wrote, answered and set: out of the machine before it stops, into the next one that is made.
  #
  # The machine's own disk outlives halt, suspend, reload and a power cut; only destroy throws it away. So all that has
  # to hold is: no destroy without a copy that is newer than the machine's last run. `vm/saved/unsaved` is there from
  # the moment a machine runs until its files are here.
  module Saved
    DIRECTORY = File.join(ROOT, "vm/saved")
    FILE = File.join(DIRECTORY, "student.tgz")
    PREVIOUS = File.join(DIRECTORY, "student.previous.tgz")
    UNSAVED = File.join(DIRECTORY, "unsaved")
    OWNER = File.join(DIRECTORY, "machine") # whose files these are: a machine gets them once, before it is used
    THERE = "/tmp/labkit-saved.tgz".freeze

    module_function

    def before(trigger)
      trigger.before(:halt, :suspend, :reload, :package) do |it|
        it.info = "Copying your notebooks and answers to vm/saved"
        it.ruby { |env, machine| running?(machine) && (save(machine) || complain(env)) }
      end
      trigger.before(:destroy) do |it|
        it.info = "Copying your notebooks and answers to vm/saved"
        it.ruby { |_env, machine| give_up(machine) }
      end
    end

    # This machine runs, and has what earlier ones left.
    def mark(machine)
      FileUtils.mkdir_p(DIRECTORY)
      FileUtils.touch(UNSAVED)
      File.write(OWNER, machine.id)
    end

    # True when the files are here. The copy is whole before it takes the place of the one before.
    def save(machine)
      machine.communicate.tap do |guest|
        guest.execute("bash #{SOURCE}/vm/keep.sh save ~/labkit >#{THERE}")
        FileUtils.mkdir_p(DIRECTORY)
        guest.download(THERE, "#{FILE}.new")
        guest.execute("rm -f #{THERE}")
      end
      FileUtils.mv(FILE, PREVIOUS) if File.exist?(FILE)
      FileUtils.mv("#{FILE}.new", FILE)
      FileUtils.rm_f(UNSAVED)
      true
    rescue Vagrant::Errors::VagrantError, Net::SSH::Exception, Net::SCP::Error, SystemCallError => error
      @why = error.message
      false
    end

    def upload(machine)
      return if !File.exist?(FILE) || (File.exist?(OWNER) && File.read(OWNER) == machine.id)

      machine.communicate.upload(FILE, THERE)
    end

    def running?(machine)
      machine.state.id == :running && machine.communicate.ready?
    end

    def complain(env)
      env.ui.warn("They could not be copied (#{@why.lines.first.strip}). They stay on the machine's own disk.")
    end

    def give_up(machine)
      return if machine.state.id == :not_created || !File.exist?(UNSAVED) && !running?(machine)
      return if running?(machine) && save(machine)
      return if ENV["LABKIT_FORGET"] == "1"

      why = (@why || "the machine does not run, and has run since the last copy").lines.first.strip
      raise Refused.new("Your notebooks and answers would be lost: #{why}.",
                        "vagrant up, then vagrant destroy again\n" \
                        "  or:      LABKIT_FORGET=1 vagrant destroy, if nothing in there is worth keeping")
    end
  end
end
