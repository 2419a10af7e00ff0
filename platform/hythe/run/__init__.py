"""Stage four: instances of releases, and the route table.

loop       which app is looked at when
desired    what should be, read from the database in one transaction
observe    what is: containers, health, routers
plan       pure: desired + observed + now -> actions
apply      the actions, on the engine and in the database
health     asks starting web instances until they answer
publish    derives the route table from the instances that are up
routers    the routers' link: sends tables, keeps leases and acks
"""
